"""The rolling replacement: a new image through an Auto Scaling group, launch first, one old instance per proven new one."""
