"""An assistant: a language model is shown operations, and proposes calls of them with arguments."""
