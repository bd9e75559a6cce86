"""A client of the service whose jobs run here: what a program sends is answered in this process.

`transport` makes clients and sessions of boto3 whose calls never leave: botocore checks what is
sent, raises its own exceptions and pages, and asks `service` for the answer. `service` knows the
operations; `folders` the jobs' folders, `reading` what they hold, `starting` how a job begins;
`tuning_jobs` and `training_jobs` put it in the service's words, `pages` in its order. `buckets` and
`identities` stand in for what the SDKs ask of S3, STS and IAM. boto3 is loaded with the first
client.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
