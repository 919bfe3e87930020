# frozen_string_literal: true

# Base of all controllers. Forms carry a CSRF token, which needs session cookies to come and go unharmed.
class ApplicationController < ActionController::Base
  protect_from_forgery with: :exception
end
