# Everything that may be set. `packer build packer` works with the defaults; goldfleet bake sets them all.

variable "image" {
  type        = string
  description = "Name of the image. Part of the AMI's name and tags."
  default     = "app"

  validation {
    condition     = length(var.image) > 0 && length(var.image) < 64 && regex_replace(var.image, "[a-z0-9-]", "") == ""
    error_message = "The image needs a name of 1 to 63 lower-case letters, digits and hyphens."
  }
}

variable "run_id" {
  type        = string
  description = "Id of this bake. Part of the AMI's name, and on every resource as tag goldfleet:run. Empty: the time is used."
  default     = ""

  validation {
    condition     = length(var.run_id) < 61 && regex_replace(var.run_id, "[A-Za-z0-9-]", "") == ""
    error_message = "The run id may have at most 60 letters, digits and hyphens."
  }
}

variable "source_ami" {
  type        = string
  description = "Id of the AMI to build on. Null: the newest one that source_ami_owner published under source_ami_name."
  default     = null
}

variable "source_ami_owner" {
  type        = string
  description = "Account that publishes the base AMI. The default is Debian's."
  default     = "136693071363"
}

variable "source_ami_name" {
  type        = string
  description = "Name of the base AMI, with * for any text."
  default     = "debian-12-amd64-*"
}

variable "architecture" {
  type        = string
  description = "Architecture of the base AMI, in EC2's words. The instance type must fit it."
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture must be x86_64 or arm64."
  }
}

variable "instance_type" {
  type        = string
  description = "Type of the temporary instance that the image is built on."
  default     = "t3.small"
}

variable "ssh_username" {
  type        = string
  description = "Login user of the base AMI. It must be in the group that golden_seal_check_group names."
  default     = "admin"
}

variable "ssh_keypair_name" {
  type        = string
  description = "EC2 key pair of the temporary instance. Null: Packer makes one and deletes it."
  default     = null
}

variable "ssh_private_key_file" {
  type        = string
  description = "File with the private key of ssh_keypair_name. Null: Packer's own key."
  default     = null
}

variable "security_group_id" {
  type        = string
  description = "Security group of the temporary instance; it must let port 22 in. Null: Packer makes one and deletes it."
  default     = null
}

variable "subnet_id" {
  type        = string
  description = "Subnet of the temporary instance. Null: one of the default VPC."
  default     = null
}

variable "playbook" {
  type        = string
  description = "Playbook that makes the image, relative to project_root. Its last role must be golden_seal."
  default     = "playbooks/golden_image.yml"
}

variable "project_root" {
  type        = string
  description = "Folder with playbooks, roles, inventory and ansible.cfg. Null: the folder above this one."
  default     = null
}

variable "variables_file" {
  type        = string
  description = "JSON file with role variables, given to Ansible as extra variables. Null: the roles' defaults."
  default     = null
}

variable "fingerprint" {
  type        = string
  description = "Fingerprint of everything that goes into the image, for the AMI's tag. Empty: unknown."
  default     = ""
}

variable "commit" {
  type        = string
  description = "Commit of the sources, for the AMI's tag. Empty: unknown."
  default     = ""
}

variable "expires" {
  type        = string
  description = "Time (RFC 3339) after which anyone may remove what a dead bake left. Empty: no such tag."
  default     = ""
}

variable "manifest_path" {
  type        = string
  description = "File that Packer writes the AMI's id to, as JSON."
  default     = "manifest.json"
}
