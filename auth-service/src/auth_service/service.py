"""auth-service: workers, accounts, sessions, access tokens and API keys."""

from auth_service.app import create_app
from auth_service.background import background
from auth_service.checks import MIGRATIONS
from auth_service.container import NAME
from auth_service.settings import AuthSettings
from chassis.service import Service

service = Service(NAME, AuthSettings, create_app, background, (MIGRATIONS,))
