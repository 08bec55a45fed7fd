"""Auto Scaling's behaviour as a pure model: the clock, the machines, the load balancer and the ids are passed in.

Calls (`AutoScaling`, and the functions of sizes, membership, targets, hooks, processes and schedule) check and record
what is wanted; `AutoScaling.tick` does what is due and says when it wants to be called again. Nothing here sleeps,
starts a thread or does I/O of its own. The local cloud ticks it on the wall clock with podman machines, simulations
tick it on a virtual one.
"""
