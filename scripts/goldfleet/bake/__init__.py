"""Image recipes: read what goes in, decide, bake with Packer, boot a copy, verify, publish, clean up."""
