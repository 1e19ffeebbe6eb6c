"""The routes of auth-service, one blueprint for each resource."""

from auth_service.api import accounts, audit, auth, internal, keystone, managers, workers

BLUEPRINTS = (
    workers.routes,
    accounts.routes,
    managers.routes,
    auth.routes,
    keystone.routes,
    audit.routes,
    internal.routes,
)
