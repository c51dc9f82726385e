"""Training of frames policies: windows of sessions of any task, in and out of the same screen."""
