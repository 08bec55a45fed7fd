"""What the demo shows: traffic on the fleet, what the balancer saw meanwhile, and a page with the pictures.

It measures from outside and knows neither the local cloud nor AWS: addresses and files come as arguments. The story
itself is goldfleet.cli.demo.
"""
