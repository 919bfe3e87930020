# frozen_string_literal: true

# What the tests ask a worker.
class DiagnosticsController < ApplicationController
  def worker
    render plain: "#{Process.pid} of #{Process.ppid} in #{Rails.env}"
  end

  # Which connection this worker has to the database, and whether it was made in this process.
  def database
    connection = ActiveRecord::Base.connection
    render json: { pid: Process.pid, posts: Post.count, connection: connection.object_id,
                   inherited: BOOT_CONNECTION == connection.object_id }
  end

  def download
    send_file Rails.root.join("public", "robots.txt"), type: "text/plain", disposition: "attachment"
  end

  def broken
    raise "Rails is broken"
  end
end
