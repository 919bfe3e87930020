# frozen_string_literal: true

# Uses the database while booting, as many applications do: no worker may share that connection with another.
Rails.application.config.after_initialize do
  BOOT_CONNECTION = ActiveRecord::Base.connection.object_id
end
