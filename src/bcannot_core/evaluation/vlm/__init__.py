"""Vision-language models as policies, through any endpoint that speaks the OpenAI chat format."""
