"""The stages of a build, in their order: objects, search, dataset, project, verify, report."""
