# frozen_string_literal: true

# What the blog is made of.
class Post < ApplicationRecord
  validates :title, presence: true
end
