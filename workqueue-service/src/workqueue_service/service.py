"""What workqueue-service is made of."""

from chassis.service import Service
from workqueue_service.app import create_app
from workqueue_service.locations import MIGRATIONS
from workqueue_service.settings import WorkqueueSettings
from workqueue_service.worker import background

service = Service("workqueue", WorkqueueSettings, create_app, background, [MIGRATIONS])
