"""moto's Elastic Load Balancing (v2) with real load balancers behind it.

`models` are moto's records made truthful, `translation` and `certificates` read them as what a load balancer is
(`localcloud/balancer`), `backend` is moto's own extended, `refusals` is what it does not do, `balancers` keeps the load
balancers' workers, `targets` is what Auto Scaling is given. `install` puts all of it in place.
"""

from goldfleet.localcloud.elbv2.install import install

__all__ = ["install"]
