"""Reviews: what the API server says of the user who asks."""

from riseml.cluster.api import Api
from riseml.errors import NotFoundError

_SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def name_of_user(api: Api) -> str:
    """Return the name by which the API server knows the user.

    It is empty on a cluster before Kubernetes 1.28, which does not say.
    """
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        review = api.create(_SELF, body)
    except NotFoundError:
        return ""
    user = review.get("status", {}).get("userInfo", {})
    return str(user.get("username") or "")
