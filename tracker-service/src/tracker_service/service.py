"""What tracker-service is made of."""

from chassis.service import Service
from tracker_service.app import create_app
from tracker_service.paths import MIGRATIONS
from tracker_service.settings import TrackerSettings
from tracker_service.worker import background

service = Service("tracker", TrackerSettings, create_app, background, [MIGRATIONS])
