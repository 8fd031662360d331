{{- define "pairstream.labels" -}}
app.kubernetes.io/name: pairstream
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "pairstream.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "pairstream.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: {{ .Values.stateSize }}}
  - name: state
    emptyDir: {sizeLimit: {{ .Values.stateSize }}}
  - name: secrets
    secret:
      secretName: {{ .Values.secret.name }}
      defaultMode: 0440
      items:
        {{- range $variable, $key := .Values.secret.keys }}
        - {key: {{ $key | quote }}, path: {{ $variable | quote }}}
        {{- end }}
{{- end }}

{{- define "pairstream.container" -}}
image: {{ include "pairstream.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: state, mountPath: /var/lib/pairstream}
  - {name: secrets, mountPath: /run/secrets/pairstream, readOnly: true}
{{- end }}

{{- define "pairstream.environment" -}}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
- {name: PAIRSTREAM_STATE_DIR, value: /var/lib/pairstream}
{{- range $variable, $key := .Values.secret.keys }}
- {name: {{ $variable }}_FILE, value: /run/secrets/pairstream/{{ $variable }}}
{{- end }}
{{- end }}
