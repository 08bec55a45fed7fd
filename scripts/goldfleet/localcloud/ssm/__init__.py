"""Systems Manager Run Command of the local cloud; Parameter Store stays moto's.

Rooms: `model` (a command and its invocations, pure), `limits` (MaxConcurrency, MaxErrors, size), `output` (cut-offs),
`requests` (what a call asks), `nodes` (which managed nodes it means), `answers` (as AWS describes them), `throttle`,
`service` (the calls and the course of a command) on `schedule` (the clock that drives it) through `ports`; `constraints`
checks calls against AWS's published shapes. `instances` and `agent` are the ports to the cloud's real machines, `actions` and
`install` put it all in moto's place. Without those four nothing here knows moto: a test serves the service on its own.
"""
