"""moto's EC2 with real machines behind it.

`world` holds what the extensions need, `lifecycle` runs machines and decides instance states, `models` are moto's records
made truthful, `backend`, `images` and `responses` are moto's own extended, `security` resolves security groups to packet
filters, `metadata_source` tells the metadata service what an instance may know. `install` puts all of it in place.
"""

from goldfleet.localcloud.ec2.install import install

__all__ = ["install"]
