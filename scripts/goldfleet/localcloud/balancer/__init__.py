"""HAProxy in a machine of its own as an Application Load Balancer.

`model` holds what a load balancer is, `configuration` and `conditions` render it for HAProxy, `statistics` reads what HAProxy
says, `health` puts that into AWS's words, `targets` decides what happens to each target next: all pure. `registrations`
remembers targets and their states, `runtime` talks to HAProxy, `machine` is its container, `logs` keeps both logs, `worker`
is the loop that brings all of them together. Nothing here knows moto (that is `localcloud/elbv2`).
"""
