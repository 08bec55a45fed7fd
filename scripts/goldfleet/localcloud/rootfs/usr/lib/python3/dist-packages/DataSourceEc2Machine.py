"""cloud-init's Ec2 data source for a machine that cannot show EC2's DMI data: a container shows none at all.

Only the identification differs: cloud-init takes the platform for AWS, and so asks for an IMDSv2 token as it does on EC2.
"""

from cloudinit import sources
from cloudinit.sources import DataSourceEc2


class DataSourceEc2Machine(DataSourceEc2.DataSourceEc2):
    """The Ec2 data source of the network stage, on a platform known to be AWS's."""

    def _get_cloud_name(self):
        return DataSourceEc2.CloudNames.AWS


def get_datasource_list(depends):
    """Return the data sources for a stage's dependencies, as cloud-init asks each module."""
    known = [(DataSourceEc2Machine, (sources.DEP_FILESYSTEM, sources.DEP_NETWORK))]
    return sources.list_from_depends(depends, known)
