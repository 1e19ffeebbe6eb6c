"""New jobs: ``POST /jobs`` and the short-hand routes (spec: workqueue 4.2, 4.3)."""

from functools import partial

from flask import Response

from chassis.idempotency import once
from workqueue_service import answers, callers, fields, jobs
from workqueue_service.api import routes
from workqueue_service.container import container
from workqueue_service.enums import JobType
from workqueue_service.submission import Submission

blueprint = routes.blueprint("submissions")


def submit(job_type: JobType | None) -> Response:
    """Check everything, then store a job; its type is forced or in the body."""
    user = callers.user()
    return once(f"account:{user.id}", lambda: _create(user.id, job_type))


def _create(user_id: int, job_type: JobType | None) -> Response:
    parts, serializer = container(), answers.serializer()
    wanted = Submission.read(fields.json_object(), parts.settings.workqueue_max_tries, job_type)
    with parts.database.transaction() as tx:
        wanted.check_sites(tx, user_id)
        return answers.of(serializer.job(jobs.create(tx, user_id, wanted)))


ROUTES: dict[str, JobType | None] = {"jobs": None, **{each.name.lower(): each for each in JobType}}
for name, forced in ROUTES.items():
    blueprint.add_url_rule(f"/{name}", f"submit_{name}", partial(submit, forced), methods=["POST"])
