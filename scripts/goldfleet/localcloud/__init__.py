"""The local cloud: a small, real EC2 on one machine, for trying goldfleet and for its tests.

Nothing outside this package imports it but `goldfleet.cli.local` and `goldfleet.cli.demo`. The product finds it the way
it finds AWS: through AWS_ENDPOINT_URL. Rooms: `cloud` (up, down, status), `server` (the background process), `ec2/`
(moto's EC2 with real machines behind it), `machines` (podman), `network` and `firewall`, `metadata` (IMDS), `names` (DNS),
`gate` (who may call what), `base_image` and `authority` (what every machine is made from).
"""
