"""Jobs as the controller sees them: started, revised, followed, summed up."""
