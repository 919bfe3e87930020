# frozen_string_literal: true

module Bench
  # One application, and the servers that are compared with it.
  Workload = Struct.new(
    :name,
    :kind,     # of servers: they are started in another way for another kind
    :dir,      # of the application
    :body,     # what every server must answer to GET /
    :load,     # a Load
    :commands, # { server's name => Command }
    keyword_init: true
  ) do
    # The commands by what they are called where several kinds are listed.
    def labelled_commands = commands.transform_keys { |name| "#{name}, #{kind}" }
  end
end
