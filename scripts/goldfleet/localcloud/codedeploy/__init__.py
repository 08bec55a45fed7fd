"""AWS's regional CodeDeploy buckets, as far as servers install the agent from them.

`packages` builds the packages that stand in for AWS's, `bucket` answers for `aws-codedeploy-<region>`. The layout is AWS's,
the agent inside is not: it polls nothing, and says so.
"""
