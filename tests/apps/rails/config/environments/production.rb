# frozen_string_literal: true

Rails.application.configure do
  config.cache_classes = true
  config.eager_load = true
  config.consider_all_requests_local = false
  config.action_dispatch.x_sendfile_header = "X-Sendfile"
  config.log_level = :info
end
