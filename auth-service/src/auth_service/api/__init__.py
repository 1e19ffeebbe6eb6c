"""The routes of auth-service, one blueprint for each resource."""

from auth_service.api import accounts, auth, internal, managers, workers

BLUEPRINTS = (workers.routes, accounts.routes, managers.routes, auth.routes, internal.routes)
