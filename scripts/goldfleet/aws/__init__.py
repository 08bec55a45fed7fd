"""The only boto3 of the package: one small function an API call, service errors turned into goldfleet's own."""
