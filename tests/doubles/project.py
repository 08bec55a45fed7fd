"""A small project tree with everything that a bake reads."""

from pathlib import Path

FILES = {
    "goldfleet.toml": '[images.app]\n[images.app.variables]\nweb_stack_domain = "example.com"\n',
    "ansible.cfg": "[defaults]\nroles_path = roles\n",
    "requirements.yml": "collections:\n  - name: amazon.aws\n    version: '>=10'\n",
    "packer/plugins.pkr.hcl": "packer {}\n",
    "packer/variables.pkr.hcl": 'variable "image" {}\n',
    "packer/source.pkr.hcl": 'source "amazon-ebs" "golden" {}\n',
    "packer/build.pkr.hcl": "build {}\n",
    "packer/compat/source_1_6.pkr.hcl": 'source "amazon-ebs" "golden" {}\n',
    "packer/README.md": "about\n",
    "playbooks/golden_image.yml": "- import_playbook: app_server.yml\n- hosts: app_servers\n  roles: [golden_seal]\n",
    "playbooks/app_server.yml": "- hosts: app_servers\n  roles:\n    - role: base\n    - role: web_stack\n",
    "roles/base/tasks/main.yml": "- name: Users\n  ansible.builtin.debug:\n",
    "roles/base/defaults/main.yml": "base_x: 1\n",
    "roles/web_stack/tasks/main.yml": "- block:\n    - ansible.builtin.include_role:\n        name: web_common\n",
    "roles/web_stack/templates/nginx.conf.j2": "server {}\n",
    "roles/web_stack/README.md": "about\n",
    "roles/web_stack/molecule/default/molecule.yml": "---\n",
    "roles/web_common/tasks/main.yml": "[]\n",
    "roles/web_common/meta/main.yml": "dependencies:\n  - role: shared_storage\n",
    "roles/shared_storage/tasks/main.yml": "[]\n",
    "roles/golden_seal/tasks/main.yml": "[]\n",
    "roles/golden_seal/files/goldfleet-seal": "#!/bin/sh\n",
    "roles/not_used/tasks/main.yml": "[]\n",
    "inventory/group_vars/app_servers.yml": "web_stack_php: 8.2\n",
    "tests/fleet/test_web.py": "def test_page(host): assert host\n",
}


def make_project(folder: Path) -> Path:
    """Write the tree into a folder and return it."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "roles/golden_seal/files/goldfleet-seal").chmod(0o755)
    return folder
