"""What scheduler-service is made of."""

from chassis.service import Service
from scheduler_service.app import create_app
from scheduler_service.paths import MIGRATIONS
from scheduler_service.settings import SchedulerSettings
from scheduler_service.worker import background

service = Service("scheduler", SchedulerSettings, create_app, background, [MIGRATIONS])
