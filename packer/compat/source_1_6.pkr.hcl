# source.pkr.hcl for Packer 1.6, which Debian 12 ships: without imds_support and metadata_options, which it does not know, and with
# what it needs to reach another endpoint than AWS's, since it does not know AWS_ENDPOINT_URL. `goldfleet local env` sets these four.

variable "aws_endpoint_url" {
  type        = string
  description = "Address of an EC2 API other than AWS's own. Null: AWS."
  default     = null
}

variable "skip_region_validation" {
  type        = bool
  description = "Whether to take the region's name as it is."
  default     = false
}

variable "skip_credential_validation" {
  type        = bool
  description = "Whether to start without asking AWS whose the credentials are."
  default     = false
}

variable "skip_metadata_api_check" {
  type        = bool
  description = "Whether to leave the instance metadata of the machine that runs Packer alone."
  default     = false
}

source "amazon-ebs" "golden_image" {
  ami_name        = local.ami_name
  ami_description = "Golden image ${var.image}, bake ${local.run_id}"
  tags            = local.ami_tags
  run_tags        = local.run_tags
  source_ami      = var.source_ami
  instance_type   = var.instance_type
  subnet_id       = var.subnet_id

  custom_endpoint_ec2        = var.aws_endpoint_url
  skip_region_validation     = var.skip_region_validation
  skip_credential_validation = var.skip_credential_validation
  skip_metadata_api_check    = var.skip_metadata_api_check

  # Packer looks every 15 s unless told otherwise: four waits of a bake would lose half a minute.
  aws_polling {
    delay_seconds = 2
    max_attempts  = 1800
  }

  communicator         = "ssh"
  ssh_username         = var.ssh_username
  ssh_keypair_name     = var.ssh_keypair_name
  ssh_private_key_file = var.ssh_private_key_file
  security_group_id    = var.security_group_id

  dynamic "source_ami_filter" {
    for_each = var.source_ami == null ? ["newest"] : []
    content {
      owners      = [var.source_ami_owner]
      most_recent = true
      filters = {
        name                = var.source_ami_name
        architecture        = var.architecture
        root-device-type    = "ebs"
        virtualization-type = "hvm"
      }
    }
  }
}
