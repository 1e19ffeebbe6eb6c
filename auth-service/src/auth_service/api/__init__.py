"""The routes of auth-service, one blueprint for each resource."""

from auth_service.api import accounts, audit, auth, internal, managers, workers

BLUEPRINTS = (workers.routes, accounts.routes, managers.routes, auth.routes, audit.routes, internal.routes)
