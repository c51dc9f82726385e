"""Learn annotation from clicks: tasks, scripted annotators, policies, tracing."""
