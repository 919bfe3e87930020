# frozen_string_literal: true

# Base of all models.
class ApplicationRecord < ActiveRecord::Base
  self.abstract_class = true
end
