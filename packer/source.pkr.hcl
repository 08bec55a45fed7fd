# The temporary instance and the AMI made of it. compat/source_1_6.pkr.hcl is the same for Packer 1.6; a test holds them together.
source "amazon-ebs" "golden_image" {
  ami_name        = local.ami_name
  ami_description = "Golden image ${var.image}, bake ${local.run_id}"
  tags            = local.ami_tags
  run_tags        = local.run_tags
  source_ami      = var.source_ami
  instance_type   = var.instance_type
  subnet_id       = var.subnet_id
  imds_support    = "v2.0"

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

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

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
