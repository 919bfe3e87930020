# frozen_string_literal: true

# Streams from a thread of its own, as server-sent events do.
class LiveController < ApplicationController
  include ActionController::Live

  def index
    response.headers["Content-Type"] = "text/event-stream"
    3.times { |i| response.stream.write("data: #{i}\n\n") }
  ensure
    response.stream.close
  end
end
