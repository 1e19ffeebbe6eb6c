"""Sites of a hand-out, as storages."""

from workqueue_service.transfer.endpoints import Endpoint, Host, endpoint
from workqueue_service.transfer.local import LocalStorage
from workqueue_service.transfer.rclone import Rclone
from workqueue_service.transfer.remote import Obscurer, RemoteStorage
from workqueue_service.transfer.storage import Storage
from workqueue_service.transfer.work import Bundle, Site


class Sites:
    """Opens storages; keeps nothing of a site but the passwords in rclone's form."""

    def __init__(self, rclone: Rclone, host: Host) -> None:
        self._rclone = rclone
        self._host = host
        self._obscure = Obscurer(rclone)

    def endpoint(self, site: Site) -> Endpoint:
        """Return the endpoint of a site; raises :class:`PermanentError` when this worker cannot use it."""
        return endpoint(site.url, site.credentials, self._host)

    def storage(self, site: Site, bundle: Bundle) -> Storage:
        """Return the storage of a site for the work on one bundle."""
        found = self.endpoint(site)
        if found.transport == "file":
            return LocalStorage(found, site.home or "", self._host.directories)
        return RemoteStorage(self._rclone, self._obscure, found, site.home, bundle.group, bundle.seconds + 30)
