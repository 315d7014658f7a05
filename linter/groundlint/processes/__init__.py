"""Worker processes: started, fed and replaced in one way for manifests and images."""
