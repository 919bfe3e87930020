# frozen_string_literal: true

# As its own documentation recommends: load once, fork the workers.
worker_processes 2
preload_app true
