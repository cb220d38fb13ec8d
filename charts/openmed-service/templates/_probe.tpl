{{/* The kubelet sends the pod's address as Host, which the service does not trust: the probe names a host that it does. */}}
{{- define "openmed.probe" -}}
httpGet:
  path: {{ .path | quote }}
  port: http
  httpHeaders:
    - name: Host
      value: localhost
initialDelaySeconds: {{ include "openmed.number" .initialDelaySeconds }}
periodSeconds: {{ include "openmed.number" .periodSeconds }}
timeoutSeconds: {{ include "openmed.number" .timeoutSeconds }}
failureThreshold: {{ include "openmed.number" .failureThreshold }}
{{- end -}}
