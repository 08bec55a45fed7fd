# Configure, seal, prove the seal, make the AMI. Nothing after the seal changes the image.

locals {
  run_id       = var.run_id == "" ? formatdate("YYYYMMDD'T'hhmmss'Z'", timestamp()) : var.run_id
  project_root = var.project_root == null ? "${path.root}/.." : var.project_root
  ami_name     = "goldfleet-${var.image}-${local.run_id}"

  ami_tags = {
    "Name"                  = local.ami_name
    "goldfleet:image"       = var.image
    "goldfleet:run"         = local.run_id
    "goldfleet:fingerprint" = var.fingerprint
    "goldfleet:commit"      = var.commit
    "goldfleet:source-ami"  = "{{ .SourceAMI }}"
  }

  run_tags = merge(
    {
      "Name"            = "${local.ami_name} builder"
      "goldfleet:image" = var.image
      "goldfleet:run"   = local.run_id
    },
    var.expires == "" ? {} : { "goldfleet:expires" = var.expires },
  )
}

build {
  sources = ["source.amazon-ebs.golden_image"]

  provisioner "ansible" {
    playbook_file       = "${local.project_root}/${var.playbook}"
    inventory_directory = "${local.project_root}/inventory"
    groups              = ["app_servers"]
    user                = var.ssh_username
    use_proxy           = false
    extra_arguments     = var.variables_file == null ? [] : ["--extra-vars", "@${var.variables_file}"]
    ansible_env_vars = [
      "ANSIBLE_CONFIG=${local.project_root}/ansible.cfg",
      # The builder lives for minutes: its host key goes into this folder, not among the keys that are trusted later.
      "ANSIBLE_SSH_ARGS=-o ControlMaster=auto -o ControlPersist=60s -o 'UserKnownHostsFile=\"${abspath(path.root)}/known_hosts\"'",
    ]
  }

  # Through the session that is still open, since the seal has removed its key. Packer's own script is in memory, not in the image.
  provisioner "shell" {
    inline          = ["sudo goldfleet-seal --check"]
    remote_folder   = "/dev/shm"
    execute_command = "sh {{ .Path }}"
  }

  post-processor "manifest" {
    output     = var.manifest_path
    strip_path = true
  }
}
