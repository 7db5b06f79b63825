"""What calls that leave the process need: categories, breakers, retries, deadlines, batches."""
