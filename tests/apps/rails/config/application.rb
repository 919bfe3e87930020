# frozen_string_literal: true

require_relative "boot"
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "action_view/railtie"

Bundler.require(*Rails.groups)

module Blog
  # A small blog: a model, a controller, a form, a file in public/.
  class Application < Rails::Application
    config.load_defaults 6.1
    config.secret_key_base = "not a secret, this is a fixture: " * 4
  end
end
