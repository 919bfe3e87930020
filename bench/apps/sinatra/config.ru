# frozen_string_literal: true

require "sinatra/base"

# A route with a parameter and Sinatra's usual middleware: a small, real application.
class Greeting < Sinatra::Base
  set :environment, :production
  set :logging, false

  get("/") { "Hello world\n" }
  get("/hello/:name") { "Hello #{params[:name]}\n" }
end

run Greeting
