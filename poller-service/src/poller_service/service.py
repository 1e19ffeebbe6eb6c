"""What poller-service is made of."""

from chassis.service import Service
from poller_service.app import create_app
from poller_service.paths import MIGRATIONS
from poller_service.settings import PollerSettings
from poller_service.worker import background

service = Service("poller", PollerSettings, create_app, background, [MIGRATIONS])
