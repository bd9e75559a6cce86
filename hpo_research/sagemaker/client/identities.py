"""What the SDKs ask of STS and IAM before they begin: who calls, and whether a role may."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hpo_research.errors import OfflineError
from hpo_research.sagemaker.client.arns import ACCOUNT, role_arn

_NEVER = datetime(2017, 11, 29, tzinfo=UTC)  # when the service began


def caller(operation: str) -> Mapping[str, Any]:
    """Answer STS: the account of all that runs here."""
    if operation != "GetCallerIdentity":
        raise OfflineError(f"sts.{operation}: not answered here, and nothing is sent")
    return {"UserId": "local", "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/local"}


def permissions(operation: str, sent: Mapping[str, Any]) -> Mapping[str, Any]:
    """Answer IAM: every role exists, and may do what is asked, since none is needed here."""
    match operation:
        case "GetRole":
            name = str(sent["RoleName"])
            role = {
                "Path": "/",
                "RoleName": name,
                "RoleId": f"LOCAL{name}".upper()[:128].ljust(16, "0"),
                "Arn": role_arn(name),
                "CreateDate": _NEVER,
            }
            return {"Role": role}
        case "SimulatePrincipalPolicy":
            allowed = [
                {"EvalActionName": one, "EvalResourceName": "*", "EvalDecision": "allowed"}
                for one in sent["ActionNames"]
            ]
            return {"EvaluationResults": allowed, "IsTruncated": False}
    raise OfflineError(f"iam.{operation}: not answered here, and nothing is sent")
