"""Names of resources in the service's long form; the account is nobody's."""

ACCOUNT = "000000000000"


def tuning_arn(region: str, name: str) -> str:
    """Return the ARN of a tuning job."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:hyper-parameter-tuning-job/{name.lower()}"


def training_arn(region: str, name: str) -> str:
    """Return the ARN of a training job."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:training-job/{name.lower()}"


def role_arn(name: str) -> str:
    """Return the ARN of a role."""
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"
