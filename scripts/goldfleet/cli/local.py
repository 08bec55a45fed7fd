"""`goldfleet local`: the local cloud, from the command line.

With `cli/demo.py` the only place outside `goldfleet.localcloud` that imports it.
"""

import dataclasses
import json
import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The local cloud: a small, real EC2 on this machine.", no_args_is_help=True)

StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="The cloud's state folder; default $GOLDFLEET_LOCAL_STATE or .goldfleet/local."),
]


def _folder(state: Path | None):  # type: ignore[no-untyped-def]  # the type would load the local cloud for --help
    from goldfleet.localcloud.state import StateFolder, default_state_folder

    return StateFolder(state.resolve()) if state else default_state_folder()


def _say(text: str) -> None:
    typer.echo(f"local cloud: {text}", err=True)


@app.command()
def up(
    network: Annotated[str | None, typer.Option(help="The default VPC's range, a /16; default: a free one.")] = None,
    state: StateOption = None,
) -> None:
    """Start the local cloud; one that runs already is left as it is."""
    from goldfleet.localcloud import cloud

    cloud.up(_folder(state), network, _say)
    option = f" --state {shlex.quote(str(state))}" if state else ""
    _say(f'point your shell at it with: eval "$(goldfleet local env{option})"')


@app.command()
def down(state: StateOption = None) -> None:
    """Remove every machine, network, rule and image that this local cloud made, and nothing else."""
    from goldfleet.localcloud import cloud

    if cloud.down(_folder(state), _say):
        _say("down")


@app.command()
def status(
    state: StateOption = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show whether the local cloud runs, and its machines. Exit 3 when it does not run."""
    from goldfleet.localcloud import cloud

    seen = cloud.look(_folder(state))
    machines = [
        {
            "instance": record["Labels"].get("goldfleet.instance", ""),
            "state": record["State"],
            "name": record["Names"][0],
        }
        for record in seen.machines
    ]
    facts = {
        "serving": seen.is_serving,
        "endpoint_url": seen.state.endpoint_url if seen.state else None,
        "network": seen.state.cidr if seen.state else None,
        "base_image_id": seen.state.base_image_id if seen.state else None,
        "machines": machines,
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    elif seen.state is None:
        typer.echo("down")
    else:
        typer.echo(
            f"{'up' if seen.is_serving else 'server is gone'}: {seen.state.endpoint_url}, network {seen.state.cidr}"
        )
        for machine in machines:
            typer.echo(f"  {machine['instance'] or machine['name']}  {machine['state']}")
    if not seen.is_serving:
        raise typer.Exit(3)


@app.command()
def env(state: StateOption = None) -> None:
    """Print shell commands that point goldfleet, the aws CLI, Ansible and Packer at the local cloud, and only at it."""
    from goldfleet.errors import RefusedError
    from goldfleet.localcloud import cloud

    folder = _folder(state)
    seen = cloud.look(folder)
    if seen.state is None or not seen.is_serving:
        raise RefusedError("The local cloud is not up.", "Run `goldfleet local up` first.")
    for name in cloud.to_unset(os.environ):
        typer.echo(f"unset {name};")
    for name, value in cloud.environment(seen.state, folder).items():
        typer.echo(f"export {name}={shlex.quote(value)};")


@app.command("base-image")
def base_image(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Make sure that the base image is in podman's store and print its reference, with the settings podman needs here.

    For tools that start a bare machine of their own, such as molecule.
    """
    import datetime

    from goldfleet.localcloud.base_image import ensure_base_image
    from goldfleet.localcloud.cloud import require_root
    from goldfleet.localcloud.machines import CAPABILITIES
    from goldfleet.localcloud.podman import probe
    from goldfleet.localcloud.state import cache_folder

    require_root()
    base = ensure_base_image(cache_folder(), datetime.datetime.now(datetime.UTC), _say)
    settings = probe(base.reference, cache_folder() / "podman.json")
    capabilities = [part for name in CAPABILITIES for part in ("--cap-add", name)]
    facts = {
        **dataclasses.asdict(base),
        "image": base.reference,
        "podman_options": list(settings.global_options()),
        "run_options": ["--tty", "--systemd=always", *settings.run_options(), *capabilities],
    }
    typer.echo(json.dumps(facts, indent=2) if as_json else base.reference)
