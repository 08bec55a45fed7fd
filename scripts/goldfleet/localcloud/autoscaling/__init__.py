"""Auto Scaling of the local cloud: AWS's API before goldfleet.scaling, on the wall clock, with real machines.

Rooms: `requests` (what a call asks, as the model's values), `answers` (the model's values, as AWS describes them), `actions`
(the calls), `machines` and `launches` (the model's ports to EC2), `engine` (the clock that drives the model). moto keeps
launch configurations and scaling policies; of its groups nothing is used.
"""

from goldfleet.localcloud.autoscaling.engine import Engine
from goldfleet.localcloud.autoscaling.install import install

__all__ = ["Engine", "install"]
