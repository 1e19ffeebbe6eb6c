"""The routes of workqueue-service, one module per resource."""

from workqueue_service.api import events, jobs, outputs, sites, submissions, trust, users, workers

BLUEPRINTS = (
    submissions.blueprint,
    jobs.blueprint,
    outputs.blueprint,
    events.blueprint,
    workers.blueprint,
    trust.blueprint,
    sites.blueprint,
    users.blueprint,
)
